"""The command classes: no types of flags in the help, and older spellings of options."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

OLDER_SPELLINGS: Final = {
    "prepare": {"--out": "--output", "--crop": "--crops"},
    "train": {"--out": "--output", "--crop": "--crop-kind"},
    "export": {"--out": "--output"},
}
"""Command -> older spelling -> option; hidden from help and completion."""


class Command(TyperCommand):
    """A command of facegender."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, without the value type of flags."""
        return _without_flag_types(super().get_params(ctx))

    def make_parser(self, ctx: Any) -> Any:
        """Return the parser, which also accepts the older spellings."""
        parser = super().make_parser(ctx)
        options = {name: option for option in self.params for name in option.opts}
        for older, name in OLDER_SPELLINGS.get(self.name or "", {}).items():
            parser.add_option(options[name], [older], options[name].name)  # type: ignore[arg-type]
        return parser


class Group(TyperGroup):
    """The group of all commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, without the value type of flags."""
        return _without_flag_types(super().get_params(ctx))


def _without_flag_types(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
    return params
