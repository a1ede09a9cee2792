/** The smallest function that there is: what a bundle of the constructs' tests is made of. */
export async function handler(event: unknown): Promise<unknown> {
  return { event };
}
