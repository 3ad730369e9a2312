# The questions of the Class A baseline for a normal portal, as OPA would be
# asked them: the same facts, the same limits.
package menshen

default allow := false

allow if {
	input.person.active
	input.person.agency == input.portal.agency
	count(refused) == 0
}

refused contains "sign-in-strength" if input.sign_in.aal < 3
refused contains "sign-in-age" if input.sign_in.age_seconds >= 43200
refused contains "key-revoked" if input.sign_in.key_revoked
refused contains "user-verified" if not input.sign_in.user_verified
refused contains "hardware-key" if not input.sign_in.hardware_key
refused contains "device-active" if not input.device.active
refused contains "device-owner" if not input.device.entitled
refused contains "device-agency" if input.device.agency != input.person.agency
refused contains "device-provenance" if not input.device.provenance in {"tpm", "tpm-unendorsed", "secure-enclave", "software"}
refused contains "device-stale" if not input.device.standing in {"fresh", "silent", "refused"}
refused contains "device-refused" if input.device.standing == "refused"
refused contains "device-silent" if {
	input.device.standing == "silent"
	input.action != "read"
}
refused contains "contraindicated" if input.attestation.contraindicated
refused contains "instance-identity" if input.attestation.instance_identity != "affirming"
refused contains "supported-os" if input.claims.os_release != "pass"
refused contains "firewall" if input.claims.firewall != "pass"
refused contains "binding-way" if not input.binding.way in {"fetch", "navigation", "code"}
refused contains "binding-age" if input.binding.age_seconds >= 43200
refused contains "seat" if not input.binding.seat in {"active", "none"}
refused contains "network" if not input.network.proven
refused contains "trust-low" if {
	input.trust.score < 30
	input.sign_in.age_seconds >= 600
}
refused contains "trust-middling" if {
	input.action != "read"
	input.trust.score < 60
	input.sign_in.age_seconds >= 600
}
refused contains "host" if {
	input.host.named
	not input.host.known
}
