"""What is wrong with a file, said once, with the name of the file and the frame."""

from collections.abc import Sequence
from dataclasses import dataclass

#: How many messages are shown before the rest is only counted.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one frame, counted from 0, or with the whole file where None."""

    file: str
    frame: int | None
    text: str


class BrokenFileError(ValueError):
    """A file that cannot be read to its end; `frame` is where reading stopped, if known."""

    def __init__(self, text: str, frame: int | None = None) -> None:
        super().__init__(text)
        self.frame = frame


class ImportRefusedError(ValueError):
    """Files that were refused, with every reason found.

    Attributes:
        problems: All of them, in the order of files and frames.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(describe_problems(self.problems))


def describe_problems(problems: Sequence[Problem], shown: int = SHOWN) -> str:
    """Write one line per file and reason, frames with the same fault together."""
    groups: dict[tuple[str, str], list[int]] = {}
    for problem in problems:
        frames = groups.setdefault((problem.file, problem.text), [])
        if problem.frame is not None:
            frames.append(problem.frame)
    lines = [f'{file}{_where(frames)}: {text}' for (file, text), frames in groups.items()]
    if len(lines) > shown:
        lines = [*lines[:shown], f'... and {len(lines) - shown} more']
    if any(problem.frame is not None for problem in problems):
        lines.append('(frames are counted from 0)')
    return '\n'.join(lines)


def _where(frames: Sequence[int]) -> str:
    if not frames:
        return ''
    if len(frames) == 1:
        return f', frame {frames[0]}'
    if frames[-1] - frames[0] == len(frames) - 1:
        return f', frames {frames[0]} to {frames[-1]}'
    more = f' and {len(frames) - 5} more' if len(frames) > 5 else ''
    return f', frames {", ".join(map(str, frames[:5]))}{more}'
