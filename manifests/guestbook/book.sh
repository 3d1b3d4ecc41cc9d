#!/bin/sh
# Shows the entries; a POST with the right word behind the question mark adds one.
book=/var/lib/book/entries
if [ "$REQUEST_METHOD" = POST ]; then
  if [ "$QUERY_STRING" != "$(cat /run/secrets/word)" ]; then
    printf 'Status: 403 Forbidden\r\n\r\nwhat is the word?\n'
    exit
  fi
  head -c "${CONTENT_LENGTH:-0}" | tr -d '\r\n' >> "$book"
  echo >> "$book"
fi
printf 'Content-Type: text/plain\r\n\r\n'
cat "$book" 2> /dev/null || echo 'No entries yet.'
