//! ISO 20022 messages: lenient readers and XSD-exact writers; no I/O.
