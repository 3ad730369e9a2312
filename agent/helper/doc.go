// Package helper is the small privileged process beside the agent, and the
// agent's way to ask it. The agent runs unprivileged (design: the whole in one
// picture); what needs root is one of a fixed list of read-only questions:
//
//	firewall   the packet filter's rules that meet inbound packets
//	watch      a line whenever those rules change
//	baseline   what configuration baselines need of root: sshd's effective
//	           settings, sudo's defaults, accounts without a password, modes of
//	           home directories, AppArmor's profiles, GRUB's password
//	event-log  the firmware's event log, from the helper's own configuration
//	ima        a piece of the kernel's run-time measurement list, from an entry's
//	           number on
//
// One connection to a private Unix socket carries one question, as one bounded
// line of strict JSON, and the answer. Only root and the agent's own user are
// answered: the socket belongs to that user with mode 0600, and the kernel's
// word on the peer (SO_PEERCRED) is asked as well. There is no question that
// changes anything, takes a path, or names a command.
package helper
