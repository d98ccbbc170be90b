#!/bin/sh
# One sale with curl: look the shopper up, quote, commit, ask what became of it.
#   sh edge/api/examples/sale.sh http://127.0.0.1:8371 TOKEN
# Needs curl and sed. A real POS reads JSON with a library; sed is enough for an example.
set -eu
till=$1 token=$2

# ask METHOD PATH KEY [BODY]
ask() {
	curl --silent --show-error --max-time 2 --request "$1" "$till$2" \
		--header "Authorization: Bearer $token" --header 'Content-Type: application/json' \
		--header "Idempotency-Key: $3" ${4:+--data "$4"}
	echo
}

# text NAME, number NAME: a member of the JSON on standard input.
text() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
number() { sed -n 's/.*"'"$1"'":\([0-9]*\).*/\1/p'; }

# A rid is a UUID of version 7: 48 bits of milliseconds, then chance.
chance=$(od -An -N10 -tx1 /dev/urandom | tr -d ' \n')
rid=$(printf '%012x' "$(date +%s)000" | sed 's/\(.\{8\}\)\(.\{4\}\)/\1-\2/')-7$(echo "$chance" | cut -c1-3)-8$(echo "$chance" | cut -c4-6)-$(echo "$chance" | cut -c7-18)

who='"shopper":{"identifier":{"kind":"card","value":"2000017","entry":"scanned"}}'
lines='"lines":[{"line_id":"1","item":"8076800195057","quantity":"4","unit":"pc","unit_price":129},
 {"line_id":"2","item":"2512340004900","quantity":"0.412","unit":"kg","unit_price":1190}]'

echo "look-up:" && ask POST /v1/lookups '' '{"identifier":{"kind":"card","value":"2000017"}}'

quote=$(ask POST /v1/quotes '' "{\"rid\":\"$rid\",\"currency\":\"EUR\",$who,$lines}")
echo "quote:" && echo "$quote"
pay=$(echo "$quote" | sed 's/.*"totals"//' | number to_pay)

echo "receipt:" && ask POST /v1/receipts "$rid" "{\"rid\":\"$rid\",\"currency\":\"EUR\",$who,$lines,
 \"at\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\",\"business_date\":\"$(date -u +%Y-%m-%d)\",
 \"tenders\":[{\"kind\":\"cash\",\"amount\":$pay}],
 \"quote\":{\"digest\":\"$(echo "$quote" | text digest)\",\"revision\":$(echo "$quote" | sed -n 's/.*"revision":\([0-9]*\),"rid".*/\1/p'),
 \"engine\":\"$(echo "$quote" | text engine)\",\"context\":\"$(echo "$quote" | text context)\"}}"

echo "found:" && ask GET "/v1/receipts/$rid" ''
