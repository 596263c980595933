"""``python -m classifier predict MODEL IMAGE...``: a network's word on pictures, one a line;
``python -m classifier train DATA.npz MODEL``: a network of one's own; ``python -m classifier draw
MODEL|RECIPE OUT.svg``: a network's stages as a picture."""

import argparse
import io
import os
import sys

from classifier import drawing_command, predicting_command, training_command
from classifier.predicting_command import complain
from classifier.train import NonFiniteLoss

STOPPED = 130  # exit code after Ctrl-C, as a shell has it
OTHERS = {"train": training_command.run, "draw": drawing_command.run}


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 only when all was done, every picture classified."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "predict":
            return predicting_command.run(options)
        told = OTHERS[options.command](options)
    except BrokenPipeError:
        raise
    except OSError as error:
        return complain(f"{error.filename or options.model}: {error.strerror or error}")
    except (ValueError, NonFiniteLoss) as error:
        return complain(str(error))
    if told:
        print(told)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m classifier", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser("predict", help="classify pictures with a saved model")
    predicting_command.add_options(predict)
    training = commands.add_parser("train", help="train a network on an .npz file")
    training_command.add_options(training)
    drawing = commands.add_parser("draw", help="draw a network's stages as SVG")
    drawing_command.add_options(drawing)
    return parser


def _run() -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text
    try:
        return main(sys.argv[1:])
    except BrokenPipeError:  # who reads along has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return STOPPED


if __name__ == "__main__":
    code = _run()
    training_command.leave_a_team(code)
    sys.exit(code)
