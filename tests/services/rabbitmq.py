"""A RabbitMQ server in a temporary folder, with a port mapper of its own."""

import os
from pathlib import Path

from tests.services.programs import Program, answers, free_port, require

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
consumer_timeout = 31536000000
loopback_users.guest = true
disk_free_limit.absolute = 50MB
"""


class RabbitMQ:
    """The broker that AiiDA recommends, on two free ports of the loopback."""

    def __init__(self, folder: Path) -> None:
        """Write the configuration; nothing runs yet."""
        (server,) = require('rabbitmq-server', folders=[Path('/usr/lib/rabbitmq/bin')])
        (mapper,) = require('epmd')
        folder.mkdir()
        self.port, names, nodes = free_port(), free_port(), free_port()
        (folder / 'rabbitmq.conf').write_text(CONFIGURATION.format(port=self.port))
        (folder / 'advanced.config').write_text(
            '[{kernel,[{inet_dist_use_interface,{127,0,0,1}}]}].\n'
        )
        (folder / 'enabled_plugins').write_text('[].\n')
        environment = os.environ | {
            'HOME': str(folder),
            'ERL_EPMD_ADDRESS': '127.0.0.1',
            'ERL_EPMD_PORT': str(names),
            'RABBITMQ_NODENAME': 'enne@localhost',
            'RABBITMQ_NODE_IP_ADDRESS': '127.0.0.1',
            'RABBITMQ_NODE_PORT': str(self.port),
            'RABBITMQ_DIST_PORT': str(nodes),
            'RABBITMQ_CONFIG_FILE': str(folder / 'rabbitmq'),
            'RABBITMQ_ADVANCED_CONFIG_FILE': str(folder / 'advanced.config'),
            'RABBITMQ_ENABLED_PLUGINS_FILE': str(folder / 'enabled_plugins'),
            'RABBITMQ_MNESIA_BASE': str(folder / 'mnesia'),
            'RABBITMQ_LOG_BASE': str(folder / 'log'),
            'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': '+S 1:1',
        }
        self.mapper = Program(
            'epmd',
            [mapper, '-address', '127.0.0.1', '-port', str(names)],
            folder,
            lambda: answers(names),
        )
        self.program = Program(
            'rabbitmq', [server], folder, lambda: answers(self.port), env=environment
        )

    def start(self) -> None:
        """Start the port mapper, which the server would otherwise leave behind, and the server."""
        self.mapper.start()
        self.program.start()

    def stop(self) -> None:
        """Stop both."""
        self.program.stop()
        self.mapper.stop()

    def kill(self) -> None:
        """Kill -9 both."""
        self.program.kill()
        self.mapper.kill()

    def restart(self) -> None:
        """Stop the server, cutting all connections, and start it again with what it kept."""
        self.program.stop()
        self.program.start()

    @property
    def configuration(self) -> dict[str, object]:
        """AiiDA's configuration of this broker."""
        return {
            'broker_protocol': 'amqp',
            'broker_username': 'guest',
            'broker_password': 'guest',
            'broker_host': '127.0.0.1',
            'broker_port': self.port,
            'broker_virtual_host': '',
        }
