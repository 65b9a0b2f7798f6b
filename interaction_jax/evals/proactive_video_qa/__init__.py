"""ProactiveVideoQA: answers that come by themselves when they can be seen."""
