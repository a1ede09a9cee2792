/** Everything that `doctor` may find, and what it means in a few words. The slugs are API: `--skip` and scripts name them. */
export const DOCTOR_FINDINGS = {
  'crontab-unreadable': 'there is no crontab, or it cannot be read',
  'crontab-refused': 'a crontab has errors',
  'shell-missing': 'the shell of a command is not there',
  'home-missing': 'the folder that a command starts in is not there',
  'program-missing': 'a program is not on the PATH of its command',
  'program-not-executable': 'a program may not be executed',
  'interpreter-missing': 'the first line of a script names what is not there',
  'zone-unknown': 'the time zone of this machine is not one',
  'zone-data-missing': 'commands have no data of their time zone',
  'store-unusable': 'the run store cannot be read or written',
  'disk-nearly-full': 'the disk of the run store is nearly full',
  'clock-wrong': 'the clock is wrong',
  'limit-not-enforced': 'a limit of a job is not enforced here',
  'secret-missing': 'a secret is not there',
  'secret-not-masked': 'a secret is too short to be masked in output',
  'channel-missing': 'nobody is told by a channel that a job names',
  'channel-unusable': 'the address or key of a channel cannot be used',
} as const;
export type DoctorCode = keyof typeof DOCTOR_FINDINGS;

export const DOCTOR_CODES = Object.keys(DOCTOR_FINDINGS) as readonly DoctorCode[];
