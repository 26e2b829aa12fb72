"""The shape of every command: a help without the types of flags, and older spellings that work."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

OLDER_SPELLINGS: Final = {
    "prepare": {"--out": "--output", "--crop": "--crops"},
    "train": {"--out": "--output", "--crop": "--crop-kind"},
    "export": {"--out": "--output"},
}
"""Command -> older spelling of an option -> the option; help and completion do not show them."""


class Command(TyperCommand):
    """A command of facegender."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; a flag takes no value, so that none is shown."""
        return _without_flag_types(super().get_params(ctx))

    def make_parser(self, ctx: Any) -> Any:
        """Return the parser, which also knows the older spellings."""
        parser = super().make_parser(ctx)
        options = {name: option for option in self.params for name in option.opts}
        for older, name in OLDER_SPELLINGS.get(self.name or "", {}).items():
            parser.add_option(options[name], [older], options[name].name)  # type: ignore[arg-type]
        return parser


class Group(TyperGroup):
    """The commands together."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; a flag takes no value, so that none is shown."""
        return _without_flag_types(super().get_params(ctx))


def _without_flag_types(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
    return params
