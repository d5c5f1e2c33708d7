"""All that the scripts use of NequIP without a promise of NequIP's own, and the version it fits.

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


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(NAMES[name]), name)
