"""Names that conditions may use, with their kind, their unit and what they mean. Pure; filled by samplers, triggers and workflows."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "text", "flag", "list", "any"]


@dataclass(frozen=True)
class Fact:
    """One name. `unit` is `%`, `s`, `bytes`, `/s` or empty for a plain count; `any` is a value whose kind nobody knows before it comes."""

    name: str
    kind: Kind = "number"
    unit: str = ""
    about: str = ""
