// Package appeal keeps what people say against decisions about them, and what
// officers answer (AI Basic Act; requirements 31: a person can appeal).
//
// Guarantees: a person appeals only against a recorded decision about
// themselves, once, in bounded words; an appeal changes no decision by itself;
// it belongs to the agency whose portal it was about, and is answered once, by
// an officer who is named. It is durable when File or Answer returns. All of it
// ends two years after it was filed, and with the person's erasure.
package appeal
