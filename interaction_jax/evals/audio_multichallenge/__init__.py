"""Audio MultiChallenge: spoken conversations whose last reply is graded."""
