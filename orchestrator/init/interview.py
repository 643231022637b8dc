"""Settle open questions: by an option, by a harmless guess, or by asking; never by hanging."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestrator.core.errors import UsageError


def refusal(code: str, summary: str, *, hint: str) -> UsageError:
    """Build the error of a refusal before anything was written."""
    return UsageError(code, summary, impact="Nothing was written.", hint=hint)


@dataclass(frozen=True)
class Open:
    """One open question of a plan. ``option`` answers it on the command line; ``why`` is the reason for the doubt.

    ``guess`` is empty where there is none; ``safe``: taking it unasked can do no harm. ``choices``: the only
    answers, or empty for free text; ``example`` stands for the answer until all missing answers are reported.
    """

    option: str
    question: str
    guess: str = ""
    safe: bool = True
    why: str = ""
    choices: tuple[str, ...] = ()
    example: str = ""


Ask = Callable[[Open], str | None]


@dataclass
class Interview:
    """``given``: option → answer from the command line. ``ask`` returns None where nobody can be asked.

    Unanswered questions are in ``missing``, to be reported at once by `require_answers`.
    """

    given: Mapping[str, str]
    ask: Ask
    missing: list[Open] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    def settle(self, topic: Open) -> str:
        """Return the answer. Raises `UsageError`, ``usage.answer_invalid``, where it is none of the choices."""
        answer = self._find(topic)
        if topic.choices and any(part not in topic.choices for part in answer.split(",")):
            raise refusal(
                "usage.answer_invalid",
                f"{topic.option} cannot be {answer!r}.",
                hint=f"It is one of {', '.join(topic.choices)}.",
            )
        self.answers[topic.option] = answer
        return answer

    def _find(self, topic: Open) -> str:
        given = self.given.get(topic.option)
        if given is not None:
            return given
        if topic.guess and topic.safe:
            return topic.guess
        answer = self.ask(topic)
        if answer is None:
            self.missing.append(topic)
            return topic.guess or topic.example
        return answer

    def require_answers(self) -> None:
        """Return if nothing is missing. Raises `UsageError`, ``usage.answer_needed``, with every open question."""
        if not self.missing:
            return
        questions = "\n".join(f"  {one.option}: {one.question} {one.why}".rstrip() for one in self.missing)
        options = " ".join(f"{one.option} {shlex.quote(one.guess or one.example)}" for one in self.missing)
        amount = f"{len(self.missing)} answers are" if len(self.missing) > 1 else "One answer is"
        raise refusal(
            "usage.answer_needed",
            f"{amount} missing that the compose file does not give:\n{questions}",
            hint=f"Answer at a terminal, or give options, such as: {options}",
        )
