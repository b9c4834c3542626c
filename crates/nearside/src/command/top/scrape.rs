//! What routes have had so far, out of a page of metrics.

use std::collections::BTreeMap;

/// What a route has had since its PoP began to count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// Requests that have ended.
    pub(super) requests: f64,
    /// Those among them that failed, were refused, or were answered with 5xx.
    pub(super) failed: f64,
    /// Seconds that they took.
    pub(super) seconds: f64,
    /// Bytes to clients.
    pub(super) bytes_out: f64,
}

/// Totals by route.
pub(super) type Routes = BTreeMap<String, Totals>;

/// The totals on a page in the OpenMetrics text format.
pub(super) fn routes(page: &str) -> Routes {
    let mut routes = Routes::new();
    for sample in page.lines().filter_map(Sample::read) {
        let Some(route) = sample.label("route") else { continue };
        let totals = routes.entry(route.to_owned()).or_default();
        match sample.name {
            "nearside_requests_total" => {
                totals.requests += sample.value;
                let is = |family: &str| sample.label("reason").is_some_and(|it| it.starts_with(family));
                if is("failed.") || is("refused.") || sample.label("status_class") == Some("5xx") {
                    totals.failed += sample.value;
                }
            }
            "nearside_request_duration_seconds_sum" => totals.seconds += sample.value,
            "nearside_body_bytes_total" if sample.label("direction") == Some("out") => {
                totals.bytes_out += sample.value;
            }
            _ => {}
        }
    }
    routes.retain(|_, totals| totals.requests > 0.0);
    routes
}

/// One line of a page.
#[derive(Debug, PartialEq)]
struct Sample<'p> {
    name: &'p str,
    labels: Vec<(&'p str, String)>,
    value: f64,
}

impl<'p> Sample<'p> {
    /// Reads a line; `None` for what is no sample.
    fn read(line: &'p str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (head, rest) = line.split_once(' ')?;
        let Some((name, mut rest)) = head.split_once('{').and_then(|(name, _)| {
            let (_, rest) = line.split_once('{')?;
            Some((name, rest))
        }) else {
            return Some(Self { name: head, labels: Vec::new(), value: number(rest)? });
        };
        let mut labels = Vec::new();
        while !rest.starts_with('}') {
            let (label, quoted) = rest.trim_start_matches(',').split_once("=\"")?;
            let (value, after) = unquoted(quoted)?;
            labels.push((label, value));
            rest = after;
        }
        Some(Self { name, labels, value: number(rest.strip_prefix("} ")?)? })
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// The value at the front; a time or an exemplar may stand behind it.
fn number(text: &str) -> Option<f64> {
    text.split(' ').next()?.parse().ok()
}

/// A quoted text without its escapes, and what stands behind its end.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut letters) = (String::new(), text.chars());
    loop {
        match letters.next()? {
            '"' => return Some((value, letters.as_str())),
            '\\' => match letters.next()? {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            letter => value.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_its_labels_whatever_stands_in_them() {
        let read =
            Sample::read(r#"a_total{route="x \"}, y=\\",reason="won.only"} 7 # {trace_id="a"} 0.5 12.0"#);
        let labels = vec![("route", "x \"}, y=\\".to_owned()), ("reason", "won.only".to_owned())];
        assert_eq!(read, Some(Sample { name: "a_total", labels, value: 7.0 }));
        let bare = Sample { name: "b", labels: Vec::new(), value: 0.25 };
        assert_eq!(Sample::read("b 0.25"), Some(bare));
        assert_eq!(
            (Sample::read("# TYPE b gauge"), Sample::read("c{a=\"b"), Sample::read("")),
            (None, None, None)
        );
    }

    #[test]
    fn what_routes_have_had_is_added_up() {
        let page = "nearside_requests_total{route=\"www\",region=\"fra\",reason=\"won.only\",status_class=\"2xx\"} 7\n\
             nearside_requests_total{route=\"www\",region=\"fra\",reason=\"failed.reset\",status_class=\"none\"} 2\n\
             nearside_requests_total{route=\"www\",region=\"-\",reason=\"refused.limit\",status_class=\"4xx\"} 1\n\
             nearside_request_duration_seconds_sum{route=\"www\"} 0.5\n\
             nearside_request_duration_seconds_sum{route=\"idle\"} 0\n\
             nearside_body_bytes_total{route=\"www\",direction=\"in\"} 5\n\
             nearside_body_bytes_total{route=\"www\",direction=\"out\"} 900\n# EOF\n";
        let www = Totals { requests: 10.0, failed: 3.0, seconds: 0.5, bytes_out: 900.0 };
        assert_eq!(routes(page), Routes::from([("www".to_owned(), www)]));
    }
}
