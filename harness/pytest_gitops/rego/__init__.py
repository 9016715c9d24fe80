"""Policies: which rules there are, what they are asked, what they answer, and which answers are waived."""
