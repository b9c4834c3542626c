//! The program's own events, on stderr.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::util::SubscriberInitExt;

/// How events are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// A line of text.
    Text,
    /// A line of JSON.
    Json,
}

/// Why events cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// `NEARSIDE_LOG` is no filter.
    #[error("NEARSIDE_LOG is {value:?}, which is no level (error, warn, info, debug, trace) and no filter")]
    Filter {
        /// What it is.
        value: String,
        /// Why it is none.
        #[source]
        cause: tracing_subscriber::filter::ParseError,
    },
    /// Events have a subscriber already.
    #[error("logging was set up twice")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

const LEVEL: &str = "NEARSIDE_LOG";
/// Our own changes of state, and what of others is read tomorrow.
const DEFAULT: &str = "warn,nearside=info";

/// Begins to write events to stderr, from the level that `NEARSIDE_LOG` says (`info` where it is not set).
///
/// # Errors
/// The level is none, or there is a subscriber already.
pub fn init_logging(format: Format) -> Result<(), LoggingError> {
    let value = std::env::var(LEVEL).unwrap_or_default();
    let filter = filter(&value).map_err(|cause| LoggingError::Filter { value, cause })?;
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        Format::Auto => !terminal,
        Format::Text => false,
        Format::Json => true,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal)
        .with_timer(SystemTime);
    if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).finish().try_init()
    } else {
        builder.with_target(false).compact().finish().try_init()
    }
    .map_err(LoggingError::Twice)
}

fn filter(value: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let value = value.trim();
    // One level alone is ours; the libraries' own debugging would drown it.
    match value {
        "" => EnvFilter::try_new(DEFAULT),
        "error" | "warn" => EnvFilter::try_new(value),
        "info" | "debug" | "trace" => EnvFilter::try_new(format!("warn,nearside={value}")),
        _ => EnvFilter::try_new(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str) {
        let text = filter(value).unwrap().to_string();
        let mut directives: Vec<_> = text.split(',').collect();
        directives.sort_unstable();
        assert_eq!(directives.join(","), expected, "{value:?}");
    }

    #[test]
    fn a_level_is_ours_and_a_filter_is_taken_as_it_is() {
        check("", "nearside=info,warn");
        check("debug", "nearside=debug,warn");
        check("error", "error");
        check("h2=trace", "h2=trace");
        assert!(filter("nearside=loud").is_err());
    }
}
