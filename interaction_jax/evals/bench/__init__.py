"""Speed, memory and their peers: what `interaction-jax bench` measures."""
