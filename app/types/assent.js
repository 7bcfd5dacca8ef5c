// Nothing runs: the package has types only, and this lets a bundler resolve the import that brings them in.
export {};
