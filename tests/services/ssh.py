"""An SSH server on the loopback, and a home whose SSH configuration leads to it."""

import os
import subprocess
from pathlib import Path

from tests.services.programs import Program, answers, free_port, require

SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/client.pub
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
PubkeyAuthentication yes
AllowUsers {user}
StrictModes no
MaxStartups 100
MaxSessions 100
SetEnv {environment}
Subsystem sftp internal-sftp
"""
CLIENT = """\
Host {alias}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/client
"""


class Ssh:
    """Keys of its own; `home` is what `HOME` must be for AiiDA to know the host by its alias."""

    alias = 'enne-cluster'

    def __init__(self, folder: Path, user: str, **environment: object) -> None:
        """Make the keys and both configurations; nothing runs yet."""
        server, keygen = require('sshd', 'ssh-keygen')
        folder.mkdir()
        for name in ('host', 'client'):
            command = [keygen, '-q', '-t', 'ed25519', '-N', '', '-f', folder / name]
            subprocess.run(command, check=True)
        if os.getuid() == 0:
            Path('/run/sshd').mkdir(exist_ok=True)  # where sshd locks itself up; no option moves it
        values = ' '.join(f'{name}={value}' for name, value in environment.items())
        names = {'folder': folder, 'user': user, 'alias': self.alias, 'environment': values}
        port = free_port()
        (folder / 'sshd_config').write_text(SERVER.format(port=port, **names))
        self.home = folder / 'home'
        (self.home / '.ssh').mkdir(parents=True, mode=0o700)
        (self.home / '.ssh/config').write_text(CLIENT.format(port=port, **names))
        key = (folder / 'host.pub').read_text()
        (self.home / '.ssh/known_hosts').write_text(f'[127.0.0.1]:{port} {key}')
        self.program = Program(
            'sshd',
            [server, '-D', '-e', '-f', folder / 'sshd_config'],
            folder,
            lambda: answers(port),
        )

    def cut(self) -> None:
        """Kill -9 the server with all connections."""
        self.program.kill()
