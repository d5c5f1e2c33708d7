"""All that the scripts use of NequIP, Lightning and torch without a promise of theirs.

Each name is imported when it is asked for: a job pays for what it uses only.
"""

from importlib import import_module
from typing import Any

#: The minor version of NequIP that all tests were passed with.
PROVEN = '0.19'

#: Where each name is.
NAMES = {
    'AOTI_ASE_TARGET': 'nequip.scripts._compile_utils',
    'COMPILE_TARGET_DICT': 'nequip.scripts._compile_utils',
    'ListInputOutputWrapper': 'nequip.nn.compile',
    'ScalarMLPFunction': 'nequip.nn.mlp',
    'TensorProductScatter': 'nequip.nn._tp_scatter_base',
    'basic_transforms': 'nequip.integrations.utils',
    'get_current_code_versions': 'nequip.utils',
    'get_dynamic_shapes': 'nequip.data._key_registry',
    'get_latest_global_state': 'nequip.utils.global_state',
    'global_state_initialized': 'nequip.utils.global_state',
    'load_saved_model': 'nequip.model.saved_models.load_utils',
    'main': 'nequip.scripts.train',
    'nequip_make_fx': 'nequip.utils.fx',
    'prepare_model_for_compile': 'nequip.utils.compile',
    'set_global_state': 'nequip.utils.global_state',
}


def begin_whole_epoch(loop: Any) -> None:
    """Let a loop of Lightning begin an epoch, whatever it believes to have begun before."""
    loop._restarting = False
    loop.epoch_loop.restarting = False


def step_elsewhere(optimizer: Any) -> None:
    """Let schedules of torch believe that an optimiser has made its step."""
    optimizer._opt_called = True


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(NAMES[name]), name)
