// Plain JavaScript that any Node since 12 can read: a wrong Node gets one sentence instead of a stack.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `kuber-cron needs Node.js 24 or newer, this is ${process.version}: install it, or in a clone run \`npm ci --ignore-scripts=false\`, which brings its own.\n`,
  );
  process.exit(3);
}
