"""A set of chips as a study asks for it: opened, divided, audited, and refused if it leaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minetrace.chips.audit import Audit, audit, refuse_leaks
from minetrace.chips.audit_page import html, markdown
from minetrace.chips.open_set import open_data_set
from minetrace.chips.splits import divide
from minetrace.core.data_set import DataSet
from minetrace.flow.study_chips import SetStudy
from minetrace.store.files import write_json, write_text


@dataclass(frozen=True)
class AuditedSet:
    """A set whose split may be used, and what the audit found in it."""

    data: DataSet
    audit: Audit

    @property
    def page(self) -> str:
        """The audit as a fragment of HTML, for a report."""
        return html(self.audit)


def open_set(study: SetStudy) -> DataSet:
    """The set of a study, divided as it asks.

    Raises:
        UserError: the set cannot be opened or divided so.
    """
    data = open_data_set(study.path, study.options(), lists=study.lists)
    if study.split is None or study.split.kind == "lists":
        return data
    return divide(data, study.split.rule())


def audited(study: SetStudy, *, contents: bool = True) -> AuditedSet:
    """The set of a study, if its split may be used for training.

    Raises:
        LeakageError: its split leaks, and the study does not say why it is meant.
        UserError: the set cannot be opened or divided so.
    """
    data = open_set(study)
    return AuditedSet(data, refuse_leaks(audit(data, contents=contents), study.allow_leakage))


def write_audit(folder: Path, found: Audit) -> tuple[Path, Path, Path]:
    """The audit as ``audit.md``, ``audit.html`` (a fragment) and ``audit.json``."""
    paths = folder / "audit.md", folder / "audit.html", folder / "audit.json"
    write_text(paths[0], markdown(found))
    write_text(paths[1], html(found))
    write_json(paths[2], found.to_json())
    return paths
