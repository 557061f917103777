"""Judgement of healing: pure."""
