// Package csl has the words of messages: it finds a message's template, fills in its variables, and gives the text.
//
// # Flow
//
// "Onsite message content is resolved by retrieving message templates from Prismic via CSL" (document 004, "BCG, OSG &
// MSQ"; R97). BCG asks with a type of message, a promotion and what the variables are ([event.ContentQuestion]); the
// answer is the text, plain ([event.Content]). Templates come from one of two places ([Source]): from the flow's
// bucket, or, where the brand's settings name a CMS, from there and nowhere else.
//
// Which template: those with the tag "{messageType}.{promoCode}" go before those with the tag "{messageType}" ([Tags]).
// Within a tag, the first of the brand's languages that there is. So a promotion's own words in the brand's second
// language go before words for all promotions in its first.
//
// In the bucket a template is JSON or YAML, put with [Put]:
//
//	title: A reward!                           # up to 120 characters; may be left out
//	text: "{promoName}: your code is {code}."  # up to 1000
//
// In a CMS it is a document with these two as fields title and text, plain ("key text") or rich text, of which only the
// text counts. Several documents of one tag and language: the one published last.
//
// Variables are those of [event.Variables]. A brace itself is written twice. Text is plain: a template has no < and
// no >, and what a value has of them comes out as ‹ and ›, control characters as spaces, and what turns the direction
// of writing not at all. So a page that takes the text for HTML by mistake runs nothing, and one that does not shows
// nobody "&lt;". A value is cut at 200 characters, a title at 256 bytes and a text at 4096: no screen takes more.
//
// # The CMS
//
// Its API is Prismic's, version 2: GET {address} gives the refs, of which the master is what is published now; GET
// {address}/documents/search the documents of a tag in a language. An answer is good for a minute. After that the
// first question that wants it asks again; if that fails, the last good copy stands in, for as long as it takes, and
// the CMS is asked again 5 s later at the earliest. A question to the CMS takes 2 s at most and an answer has 1 MiB at
// most; the last 1024 templates are kept, in memory.
//
// # Failure
//
// No template at all, or a CMS that is down before there is a copy: BCG is told to ask again, and holds its message
// back. A template that is wrong, or wants a variable that the message does not have, can never be shown right: the
// question is refused, and BCG puts its event among the dead letters, from where it can be replayed once the template
// is mended. Every outcome is counted.
package csl
