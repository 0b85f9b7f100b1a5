"""A program's own model, loaded at its start as its settings say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared_utils.config.classes import SETTING, known_classes
from shared_utils.contracts.job_options import Options
from shared_utils.errors import ModelError, SettingError
from video_worker.engines.base import EngineChoice
from video_worker.models.registry import DETECT, LoadedModel, ModelRegistry
from video_worker.settings import AnalysisSettings


@dataclass(frozen=True)
class OwnModel:
    """A program's own model.

    Attributes:
        model: the model.
        models: where it and further ones come from.
        options: those of the settings, with classes in the model's spelling.
        description: the model and what it reports, for people.
    """

    model: LoadedModel
    models: ModelRegistry
    options: Options
    description: str


def load_own_model(settings: AnalysisSettings, threads: int, shapes: int = EngineChoice.shapes) -> OwnModel:
    """Return the model of ``YOLO_MODEL``.

    Args:
        settings: which model, and what it runs on.
        threads: threads to compute with.
        shapes: shapes of pictures kept ready.

    Raises:
        SettingError: it cannot be loaded, or does not know a label of ``YOLO_CLASSES``.
    """
    choice = EngineChoice(settings.engine, settings.device, threads, shapes)
    models = ModelRegistry(settings.models_dirs, choice, settings.own_model)
    try:
        model = models.get(DETECT, settings.options.model)
    except ModelError as error:
        raise SettingError(f"YOLO_MODEL is {settings.options.model!r}: {error}") from None
    try:
        classes = known_classes(settings.options.classes, model.detector.labels, model.name, SETTING)
    except ModelError as error:
        raise SettingError(str(error)) from None
    description = model.describe(settings.options.imgsz) + (f", only {', '.join(classes)}" if classes else "")
    return OwnModel(model, models, replace(settings.options, classes=classes), description)
