"""HarmBench: what does harm is refused, in writing and in speech."""
