//! What every service needs: settings, tracing, metrics, TLS, shutdown and error mapping; knows no domain word.
