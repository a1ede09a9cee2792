/** A client of the SDK, as far as it is stood in for. */
interface Client {
  readonly middlewareStack: {
    // biome-ignore lint/suspicious/noExplicitAny: the SDK types a middleware by its client
    add(middleware: any, options: any): void;
  };
}

/** Answers a client's requests without a network. @param answer the output of a command, or throws */
export function answering<C extends Client>(client: C, answer: (input: unknown) => unknown): C {
  const middleware = () => async (args: { readonly input: unknown }) => ({
    output: await answer(args.input),
  });
  client.middlewareStack.add(middleware, { step: 'initialize', name: 'answer', priority: 'low' });
  return client;
}

/** An error as the SDK throws it. */
export function awsError(name: string, message = 'says the service'): Error {
  return Object.assign(new Error(message), { name });
}
