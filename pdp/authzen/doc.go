// Package authzen is the OpenID AuthZEN Authorization API 1.0: an application
// behind a portal asks here whether a subject may take an action on a resource.
//
//	POST /access/v1/evaluation        one question
//	POST /access/v1/evaluations       several, with defaults and three semantics
//	POST /access/v1/search/subject    who may?
//	POST /access/v1/search/resource   on what?
//	POST /access/v1/search/action     do what?
//	GET  /.well-known/authzen-configuration[/TENANT]
//
// A tenant is a portal, by its id. The caller proves by the portal's secret
// (as a bearer token, or in Menshen-Portal-Secret) which one it is; the same
// paths below /TENANT are that portal's alone.
//
// Guarantees:
//   - A denial is 200 with decision false; what is not a question is 400 (JSON
//     Serialization, Error Responses). Members that the specification does not
//     know are ignored; duplicate keys, trailing data and oversize are refused.
//   - Every request is one audit record, and nothing is answered before that
//     record is durable: else the answer is 503. The record holds, sealed, what
//     the request was answered from, so that it can be answered again.
//   - A search finds exactly those of the asked type for which the evaluation
//     is true. Its page tokens are sealed and belong to one portal and query.
//   - A reason that is withheld from people is told by its code alone.
package authzen
