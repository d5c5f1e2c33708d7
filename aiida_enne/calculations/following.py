"""Jobs that outlive the process which submitted them: another process takes them over."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.common import CalcInfo, CalcJobState, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_enne.aiida_private import waiting

#: Resources of a job that is one process.
ONE_PROCESS = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
#: What may be the key of a node: the column of the database has 32 bits.
KEYS = range(1, 2**31)


def validate_follow(pk: int | None, _: Any) -> str | None:
    """Accept a job that was submitted and whose process ended with an exception."""
    if pk is None:
        return None
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={'id': pk if pk in KEYS else 0})
    job = query.first(flat=True)
    if job is None:
        return f'`follow` must be the PK of a job, got {pk!r}'
    if not job.is_excepted or job.get_job_id() is None:
        return f'`follow` must be a job that was submitted and whose process excepted, got {job}'
    return None


class FollowingCalcJob(CalcJob):
    """A job that can `follow` another: it waits until that one ends and takes its files.

    A process may end by an exception of AiiDA's own, such as a database that went away, while its
    job runs on in the scheduler. The follower has the same inputs, watches the same job in the same
    work directory and retrieves and parses it as if it were its own. The files that were uploaded
    are in the repository of the lost node.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        cls.set_defaults(spec, resources=ONE_PROCESS, withmpi=False)
        cls.define_follow(spec)

    @staticmethod
    def define_follow(spec: CalcJobProcessSpec) -> None:
        """Define the job that is to be followed."""
        # kept nowhere: a restart with other inputs or a copy from the cache must not follow too
        spec.input(
            'follow',
            valid_type=int,
            non_db=True,
            required=False,
            validator=validate_follow,
            help='PK of a job with the same inputs that is to be followed, its process being lost.',
        )

    @staticmethod
    def set_defaults(spec: CalcJobProcessSpec, **options: Any) -> None:
        """Set the defaults of options of the job, by name."""
        ports: Any = spec.inputs
        for name, value in options.items():
            ports['metadata']['options'][name].default = value

    @staticmethod
    def define_verdicts(
        spec: CalcJobProcessSpec, verdicts: Mapping[int, tuple[str, str]], lasting: int
    ) -> None:
        """Define exit codes, label and message by status; from `lasting` on caches keep the job."""
        for status, (label, message) in verdicts.items():
            spec.exit_code(status, label, message=message, invalidates_cache=status < lasting)

    def run_code(
        self,
        arguments: Sequence[str] = (),
        retrieve: Iterable[str | tuple[str, str, int]] = (),
        errors: str | None = None,
    ) -> CalcInfo:
        """Return a job that runs the code, with its output in a file that is retrieved.

        Args:
            arguments: Of the code.
            retrieve: What is retrieved as well, as AiiDA has it.
            errors: Another file, retrieved too, for what the code says on standard error.
        """
        code, job = CodeInfo(), CalcInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = list(arguments)
        code.stdout_name = self.inputs.metadata.options.output_filename
        code.stderr_name, code.join_files = errors, errors is None
        job.codes_info = [code]
        job.retrieve_list = [code.stdout_name, *([] if errors is None else [errors]), *retrieve]
        return job

    def copy_from_parent(self, job: CalcInfo, places: Mapping[str, str]) -> None:
        """Copy files and folders of the job before, where there is one, to places in this job."""
        if 'parent_folder' in self.inputs:
            folder = self.inputs.parent_folder
            job.remote_copy_list = [
                (folder.computer.uuid, f'{folder.get_remote_path()}/{source}', place)
                for source, place in places.items()
            ]

    async def run(self) -> Any:
        """Take the other job over, or run as any job does, from the cache included."""
        pk = self.inputs.get('follow')
        if pk is None or self.node.exit_status is not None or self.inputs.metadata.dry_run:
            return await super().run()
        lost: Any = orm.load_node(pk)
        if lost.base.caching.get_hash() != self.node.base.caching.get_hash():
            self.logger.warning(f'{lost} has other inputs and is not followed')
            return await super().run()
        self.node.set_retrieve_list(lost.get_retrieve_list())
        self.node.set_retrieve_temporary_list(lost.get_retrieve_temporary_list())
        self.node.set_remote_workdir(lost.get_remote_workdir())
        self.node.set_job_id(lost.get_job_id())
        self.node.set_state(CalcJobState.WITHSCHEDULER)
        self.out('remote_folder', self._work_folder(lost))
        return waiting(f'Waiting for the job of {lost}')

    def _work_folder(self, lost: orm.CalcJobNode) -> orm.Node:
        """Return the output that may be there already, where a worker was killed in `run`."""
        link = self.node.base.links.get_outgoing(link_label_filter='remote_folder').first()
        if link is not None:
            return link.node
        return orm.RemoteData(computer=lost.computer, remote_path=lost.get_remote_workdir())


def write_files(folder: Folder, files: Mapping[str, str]) -> None:
    """Write texts into the folder of a job, by the name of the file."""
    for name, text in files.items():
        with folder.open(name, 'w') as handle:
            handle.write(text)
