// Package application judges the questions that an application asks about
// subjects, actions and resources of its own types, by a Cedar schema,
// entities and policies that it brought itself (OpenID AuthZEN Authorization
// API 1.0 is how it asks).
//
// An application is a set of files: one *.cedarschema, at least one *.cedar,
// and any number of *.json with entities in Cedar's JSON format. Load holds
// policies and entities strictly against the schema and says where and why it
// refuses one.
//
// What policies see beside the application's own entities:
//
//	context.claims   what the caller sends: records subject, action, resource
//	                 and context, as far as the action's context in the schema
//	                 declares them. What is not declared is not seen.
//	context.menshen  what the PDP knows of the session that is asked about: the
//	                 published Session of Menshen's own schema, its agencies as
//	                 text, with live and person. It is always there; for
//	                 subjects of the application's own it affirms nothing.
//
// Guarantees:
//   - default deny, forbid overrides permit, and any evaluation error denies;
//   - what the caller sends lies under context.claims and nowhere else: it
//     never replaces an entity's attribute, and an entity that the application
//     did not bring has none;
//   - a declared claim of another type than declared denies, as does one that
//     is missing and not optional;
//   - what is loaded is bounded in files, bytes, depth, policies and entities.
//
// Annotations that are read: on policies @id (needed), and @reason_en with
// @reason_zh (the application's own words for a denial by that forbid); on the
// schema's actions @grade("read"), "write" or "admin", and @class("…"): as what
// Menshen's own access policy judges the action for a session. An action
// without a grade writes.
//
// The package is pure: no clock, no files, no log.
package application
