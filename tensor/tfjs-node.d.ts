/** The native bindings are optional: importing one registers the tfjs backend "tensorflow" and nothing of it is named here. */
declare module "@tensorflow/tfjs-node" {}
declare module "@tensorflow/tfjs-node-gpu" {}
