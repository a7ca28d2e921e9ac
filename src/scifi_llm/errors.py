"""The one exception that a user's mistake may raise."""

from __future__ import annotations


class ToolkitError(Exception):
    """A problem that the user can mend.

    `problem` is one sentence, `fix` the command or action that mends it ("" where none is known).
    Library code raises it; only `console.run_main` prints it.
    """

    def __init__(self, problem: str, fix: str = "", status: int = 1) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix
        self.status = status

    def __str__(self) -> str:
        """Both, as one line."""
        return f"{self.problem} {self.fix}".strip()
