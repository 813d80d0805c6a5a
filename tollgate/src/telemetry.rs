//! The log: text for a person at a terminal, JSON lines otherwise, always on standard error.

use std::error::Error;
use std::fmt;
use std::io::IsTerminal;

use schemas::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::Environment;

const FILTER_VARIABLE: &str = "TOLLGATE_LOG";

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("TOLLGATE_LOG is not a filter such as `info` or `tollgate=debug,warn`: {0}")]
pub struct FilterError(String);

/// Starts logging for the rest of the process. `default_filter` holds when `TOLLGATE_LOG` is not set.
pub fn start(environment: &Environment, default_filter: &str) -> Result<(), FilterError> {
    let filter = environment.get(FILTER_VARIABLE).filter(|filter| !filter.is_empty()).unwrap_or(default_filter);
    let filter = EnvFilter::try_new(filter).map_err(|error| FilterError(error.to_string()))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, as tests do, keeps the first.
    let _ = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().event_format(JsonLines).try_init()
    };
    Ok(())
}

/// A line of JSON for each event: time, level, its fields, where it is from, the spans around it. An error has its causes
/// beside it, as `<name>.sources`.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let mut fields = Fields(vec![
            ("timestamp".to_owned(), Value::from(Timestamp::now().to_string())),
            ("level".to_owned(), Value::from(metadata.level().as_str())),
        ]);
        event.record(&mut fields);
        let Fields(mut fields) = fields;
        fields.push(("target".to_owned(), Value::from(metadata.target())));
        let spans: Vec<Value> = context.event_scope().map_or_else(Vec::new, |scope| {
            let told = scope.from_root().map(|span| {
                let extensions = span.extensions();
                let text = extensions.get::<FormattedFields<N>>().map_or("", |fields| fields.as_str());
                let mut known: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
                known.insert("name".to_owned(), Value::from(span.name()));
                Value::Object(known)
            });
            told.collect()
        });
        if !spans.is_empty() {
            fields.push(("spans".to_owned(), Value::Array(spans)));
        }
        for (place, (name, value)) in fields.iter().enumerate() {
            write!(writer, "{}{}:{value}", if place == 0 { "{" } else { "," }, Value::from(name.as_str()))?;
        }
        writeln!(writer, "}}")
    }
}

/// The fields of an event in their order.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name().to_owned(), value.into()));
    }
}

impl Visit for Fields {
    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        self.add(field, error.to_string());
        let (mut causes, mut next) = (Vec::new(), error.source());
        while let Some(cause) = next {
            causes.push(Value::from(cause.to_string()));
            next = cause.source();
        }
        if !causes.is_empty() {
            self.0.push((format!("{}.sources", field.name()), Value::Array(causes)));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("ledger database failed")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_line_of_json_tells_an_error_with_its_causes_and_the_request_it_belongs_to() {
        let lines = Lines::default();
        let kept = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || kept.clone()).json().event_format(JsonLines).finish();
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("request", request.id = "gen-1").entered();
            let error = Outer(io::Error::other("disk is full"));
            tracing::warn!(error = &error as &dyn Error, attempt = 3_u64, is_last = false, "tried \"again\"");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(
            (&line["level"], &line["message"], &line["error"], &line["error.sources"][0], &line["attempt"], &line["is_last"]),
            (&"WARN".into(), &"tried \"again\"".into(), &"ledger database failed".into(), &"disk is full".into(), &3.into(), &false.into())
        );
        assert_eq!((&line["spans"][0]["name"], &line["spans"][0]["request.id"]), (&"request".into(), &"gen-1".into()));
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z') && line["target"].is_string(), "{line}");
    }
}
