"""Which task each network is for, and recipes read with it."""

from __future__ import annotations

from pathlib import Path

from convert.conversion.defects import DEFECTS
from convert.conversion.grades import GRADES
from convert.conversion.recipe import NetworkName, Recipe, problems, read_recipe
from convert.conversion.task import Task
from edge.core.errors import ConfigError

TASKS: dict[NetworkName, Task] = {"": DEFECTS, "cnn3d": DEFECTS, "cnn-lstm": DEFECTS, "neurofuzzy": GRADES}


def load_recipe(path: Path) -> tuple[Recipe, Task]:
    """A recipe, and what its network is for. Raises ConfigError naming file, key and remedy."""
    recipe = read_recipe(path)
    task = TASKS[recipe.source.network]
    for key, problem in (*problems(recipe), *task.recipe_problems(recipe)):
        raise ConfigError(f"{path}: {key}: {problem}")
    return recipe, task
