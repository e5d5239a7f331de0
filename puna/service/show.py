"""Everything about one model. Facts: API spec, section 13."""

from __future__ import annotations

from puna.api.requests import ShowRequest
from puna.api.responses import ShownMessage, ShowResponse
from puna.errors import BadModelFile, CloudDisabled, ModelNotFound
from puna.fmt import rfc3339
from puna.gguf.describe import show_metadata, show_tensors
from puna.gguf.reader import Header, read_header
from puna.gguf.split import read_joined
from puna.models.generated import modelfile_text, parameters_text
from puna.service.catalog import Catalog, Entry, parse_reference
from puna.service.prepare import damaged_weights, details_of
from puna.service.templates import shown_template
from puna.threads import in_thread

__all__ = ["Show"]

_COPILOT = "GitHubCopilotChat/"


class Show:
    """Answers show requests."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def show(self, order: ShowRequest, user_agent: str = "") -> ShowResponse:
        """Describe a model. Raises ModelNotFound with the tag in its name, InvalidName."""
        name = parse_reference(order.target)
        try:
            entry = await self._catalog.find(order.target)
        except ModelNotFound:
            raise ModelNotFound(name.short) from None
        except CloudDisabled:
            raise CloudDisabled("remote model details are unavailable") from None
        if not entry.has_weights:
            raise ModelNotFound(name.short)
        answer = await in_thread(_describe, entry, order)
        if user_agent.startswith(_COPILOT):
            answer.model_info["general.basename"] = order.target
        return answer


def _describe(entry: Entry, order: ShowRequest) -> ShowResponse:
    model, config = entry.model, entry.model.config
    header = _header(entry, arrays=order.verbose)
    stored = model.stored
    return ShowResponse(
        license="\n".join(model.licenses),
        modelfile=modelfile_text(model, system=order.system, options=order.options),
        parameters=parameters_text(model.params),
        template=shown_template(entry),
        system=order.system or model.system,
        details=details_of(entry),
        messages=[
            ShownMessage(role=str(message["role"]), content=str(message["content"]))
            for message in model.messages
        ],
        remote_model=config.remote_model,
        remote_host=config.remote_host,
        model_info=dict(show_metadata(header, verbose=order.verbose)) if header else {},
        projector_info=_projector(entry, verbose=order.verbose),
        tensors=[dict(tensor) for tensor in show_tensors(header)] if header else [],
        capabilities=list(entry.capabilities),
        modified_at=rfc3339(stored.modified_at, stored.nanosecond),
        requires=config.requires,
    )


def _header(entry: Entry, *, arrays: bool) -> Header | None:
    if entry.description is None or entry.model.weights is None:
        return None
    try:
        return read_joined(entry.model.weights.paths, arrays=arrays)
    except (
        OSError,
        BadModelFile,
    ) as cause:  # what was changed since it was read for the first time
        raise damaged_weights(entry.name.short, cause) from cause


def _projector(entry: Entry, *, verbose: bool) -> dict[str, object]:
    if not entry.model.projectors:
        return {}
    header = read_header(entry.model.projectors[0].path, arrays=verbose)
    return dict(show_metadata(header, verbose=verbose, hidden=frozenset()))
