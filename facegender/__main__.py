"""``python -m facegender`` and the installed command; Ctrl-C during startup exits silently."""


def main() -> None:
    """Import the command line and run it."""
    try:
        import os
        import signal

        def leave(number: int, _frame: object) -> None:
            os._exit(128 + number)  # nothing has started yet, so there is nothing to clean up

        signal.signal(signal.SIGTERM, leave)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, leave)
        from facegender.cli import main as run
    except KeyboardInterrupt:  # before the handlers were installed
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
