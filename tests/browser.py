"""A real headless Chromium, driven through its debugging pipe: no network, no driver, no port."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

#: The accessibility checker, where the Makefile puts it: beside this Python.
AXE = Path(sys.prefix) / 'axe' / 'node_modules' / 'axe-core' / 'axe.min.js'
FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--enable-unsafe-swiftshader',  # WebGL without a graphics card
    '--remote-debugging-pipe',
    # whatever is no file is looked for where nobody listens
    '--proxy-server=127.0.0.1:9',
)


def executable():
    """Return the path of the browser, or None where there is none."""
    return shutil.which('chromium') or shutil.which('google-chrome')


class Browser:
    """One page in a new profile; every error and request of it is kept."""

    def __init__(self, folder, width=1300, height=900):
        folder.mkdir(exist_ok=True)
        inner, self._write = os.pipe()
        self._read, outer = os.pipe()
        # the browser reads from 3 and writes to 4: neither end may be in the way of the other
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (inner, outer)]
        connect = f'exec "$@" 3<&{ends[0]} 4>&{ends[1]}'
        command = [executable(), *FLAGS, f'--user-data-dir={folder}', 'about:blank']
        with (folder / 'browser.log').open('wb') as log:
            self._process = subprocess.Popen(
                ['bash', '-c', connect, 'bash', *command],
                stdout=log,
                stderr=log,
                pass_fds=ends,
                start_new_session=True,
            )
        for end in (inner, outer, *ends):
            os.close(end)
        self._buffer, self._number, self._session = b'', 0, None
        self.errors, self.requests = [], []
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        attached = self.call('Target.attachToTarget', targetId=target, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Runtime', 'Network', 'Log'):
            self.call(f'{domain}.enable')
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the browser and all its children."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for fd in (self._read, self._write):
            os.close(fd)

    def call(self, method, **parameters):
        """Call a method of the DevTools protocol and return its result."""
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': parameters}
        if self._session:
            message['sessionId'] = self._session
        os.write(self._write, json.dumps(message).encode() + b'\0')
        while True:
            answer = self._receive()
            if answer.get('id') == self._number:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]}')
                return answer['result']

    def open(self, path):
        """Load a file."""
        self.call('Page.navigate', url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete'")

    def resize(self, width, height):
        """Give the page a size in pixels."""
        size = {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': False}
        self.call('Emulation.setDeviceMetricsOverride', **size)

    def evaluate(self, expression):
        """Return the value of an expression, a promise's when it is kept."""
        options = {'returnByValue': True, 'awaitPromise': True}
        result = self.call('Runtime.evaluate', expression=expression, **options)
        if 'exceptionDetails' in result:
            raise RuntimeError(f'{expression}: {result["exceptionDetails"]}')
        return result['result'].get('value')

    def wait(self, expression, seconds=60):
        """Wait until an expression is true and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.evaluate(expression):
                return value
            time.sleep(0.1)
        raise TimeoutError(f'after {seconds} s there is no {expression}; errors: {self.errors}')

    def click(self, x, y):
        """Move the mouse to a point of the window and click."""
        point = {'x': x, 'y': y}
        self.call('Input.dispatchMouseEvent', type='mouseMoved', **point)
        time.sleep(0.3)  # what is under the mouse is found when the browser has time
        for kind in ('mousePressed', 'mouseReleased'):
            self.call('Input.dispatchMouseEvent', type=kind, button='left', clickCount=1, **point)

    def picture(self, selector=None):
        """Return a picture of the window, or of the first element of a kind, as PNG."""
        clip = {}
        if selector:
            box = self.evaluate(
                f'(({{x, y, width, height}}) => ({{x, y, width, height}}))'
                f'(document.querySelector({json.dumps(selector)}).getBoundingClientRect())'
            )
            box['x'] += self.evaluate('window.scrollX')
            box['y'] += self.evaluate('window.scrollY')
            clip = {'clip': box | {'scale': 1}}
        return base64.b64decode(self.call('Page.captureScreenshot', **clip)['data'])

    def printed(self):
        """Return what would be printed, as PDF."""
        options = {'printBackground': True, 'preferCSSPageSize': True}
        return base64.b64decode(self.call('Page.printToPDF', **options)['data'])

    def as_printed(self, expression):
        """Return the value of an expression where the page has the look of its print."""
        self.call('Emulation.setEmulatedMedia', media='print')
        # content that the print unfolds counts as hidden until the browser has drawn it
        self.evaluate(
            'new Promise((end) => requestAnimationFrame(() => requestAnimationFrame(end)))'
        )
        value = self.evaluate(expression)
        self.call('Emulation.setEmulatedMedia', media='')
        return value

    def violations(self):
        """Return what the accessibility checker finds: rule, and the elements that break it."""
        return self._checked('violations')

    def undecided(self):
        """Return what the accessibility checker cannot judge: rule, and the elements."""
        return self._checked('incomplete')

    def _checked(self, kind):
        self.evaluate(f'{AXE.read_text()}; 0')
        found = self.evaluate(
            f"axe.run({{resultTypes: ['{kind}']}}).then((all) => all.{kind}.map((one) => [one.id, "
            'one.nodes.map((node) => node.html.slice(0, 200))]))'
        )
        return dict(found)

    def _receive(self, seconds=60):
        while b'\0' not in self._buffer:
            if not select.select([self._read], [], [], seconds)[0]:
                raise TimeoutError(f'the browser has said nothing for {seconds} s')
            if not (chunk := os.read(self._read, 1 << 20)):
                raise RuntimeError('the browser has gone')
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b'\0')
        message = json.loads(text)
        self._note(message.get('method'), message.get('params', {}))
        return message

    def _note(self, method, parameters):
        if method == 'Runtime.exceptionThrown':
            self.errors.append(parameters['exceptionDetails'])
        elif method == 'Log.entryAdded' and parameters['entry']['level'] == 'error':
            self.errors.append(parameters['entry'])
        elif method == 'Network.requestWillBeSent':
            self.requests.append(parameters['request']['url'])
