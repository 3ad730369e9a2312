// Package generator makes up the past of a government's sign-ins: people with
// their agencies, networks, laptops, hours and portals, and attackers of four
// kinds, so that trust inference can be measured where no real history may be
// used. The same Config gives the same events and address databases, byte for
// byte, on one architecture.
//
// # Sources
//
// What is taken from published work:
//
//   - the attackers' ladder (naive: from anywhere; VPN: from the victim's
//     country; targeted: from the victim's region and provider; very targeted:
//     imitates whatever can be imitated) and judging each sign-in before it is
//     learned: Freeman, Jain, Dürmuth, Biggio, Giacinto, "Who Are You?" (NDSS
//     2016), and Wiefling, Jørgensen, Thunem, Lo Iacono, "Pump Up Password
//     Security!" (ACM TOPS 26(1), 2022);
//   - that the number of sign-ins per person has a long tail, that addresses
//     change often while provider and country rarely do, and that a few
//     sign-ins are from abroad: the same, and Wiefling, Dürmuth, Lo Iacono,
//     "What's in Score for Website Users" (FC 2021);
//   - Taiwan's cities by their population and place, its office hours and its
//     public holidays of spring 2026: public statistics and the calendar of the
//     Directorate-General of Personnel Administration.
//
// # Assumptions
//
// Everything else is an assumption, made before anything was measured and not
// changed since to please a figure. It stands in tables: habits.go for people,
// attackers.go for attackers. Addresses, provider numbers and coordinates of
// small networks are invented; they mean nothing outside the databases that
// Databases writes.
//
// What an attacker must hold in this product is a person's security key and
// its PIN, and an enrolled laptop, for a laptop's identity is proven by its
// TPM: either another laptop that is enrolled, or the victim's own. The
// variant of an event says which.
//
// # Limits
//
// Nobody here is a real person. Habits are independent of each other where no
// table says otherwise; people do not change jobs or move house; all are in one
// time zone unless they travel; an attack is one session and not a campaign;
// attackers of one kind act alike. Plugins and generator come from one project,
// so that what a plugin looks at is there to be seen: figures from it compare
// configurations with each other and say little of the field. Run a backtest on
// recorded observations before trusting one.
package generator
