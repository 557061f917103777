"""Judgement: pure, without rows, clock or network."""
