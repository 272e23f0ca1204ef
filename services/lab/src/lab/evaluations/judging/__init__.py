"""A model that judges answers: what it is asked, and what its verdicts are worth."""
