//! The table of a comparison: a row for each scenario, a column for each proxy.

/// What one proxy spent in one scenario.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cost {
    pub(super) figure: f64,
    /// What a reader must know to judge the figure.
    pub(super) remark: Option<String>,
}

impl Cost {
    /// A figure that needs no remark.
    pub(super) fn of(figure: f64) -> Self {
        Self { figure, remark: None }
    }
}

/// One scenario's costs, in the order of the table's columns.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) title: String,
    pub(super) unit: &'static str,
    pub(super) costs: Vec<Option<Cost>>,
    /// What nearside may cost at most, as a ratio to a peer.
    pub(super) at_most: &'static [(&'static str, f64)],
}

/// The whole table in Markdown: each cost, how many times nearside's it is, and what became of the figures to reach.
pub(super) fn markdown(columns: &[&'static str], rows: &[Row]) -> String {
    let mut text = format!("| scenario | unit | {} | nearside to peer |\n", columns.join(" | "));
    text.push_str(&format!("|---|---|{}---|\n", "---:|".repeat(columns.len())));
    for row in rows {
        text.push_str(&row.line(columns));
        text.push('\n');
    }
    text
}

fn told(cost: &Option<Cost>) -> String {
    let Some(cost) = cost else { return "-".to_owned() };
    let digits = if cost.figure < 100.0 { 1 } else { 0 };
    let remark = cost.remark.as_ref().map_or_else(String::new, |remark| format!(" ({remark})"));
    format!("{:.digits$}{remark}", cost.figure)
}

impl Row {
    /// The row in Markdown, as it is said as soon as it is known.
    pub(super) fn line(&self, columns: &[&'static str]) -> String {
        let costs: Vec<String> = self.costs.iter().map(told).collect();
        let (name, title, unit, verdict) = (self.name, &self.title, self.unit, self.verdict(columns));
        format!("| {name} {title} | {unit} | {} | {verdict} |", costs.join(" | "))
    }

    fn cost(&self, columns: &[&'static str], name: &str) -> Option<f64> {
        let index = columns.iter().position(|column| *column == name)?;
        Some(self.costs.get(index)?.as_ref()?.figure)
    }

    /// Each ratio of nearside to a peer, and whether it is within what was set.
    fn verdict(&self, columns: &[&'static str]) -> String {
        let Some(ours) = self.cost(columns, "nearside") else { return String::new() };
        let ratios = columns.iter().filter(|column| **column != "nearside").filter_map(|peer| {
            let ratio = ours / self.cost(columns, peer)?;
            let limit = self.at_most.iter().find(|(name, _)| name == peer);
            Some(match limit {
                Some((_, most)) if ratio <= *most => format!("{peer} {ratio:.2} (reached: {most})"),
                Some((_, most)) => format!("{peer} {ratio:.2} (MISSED: {most})"),
                None => format!("{peer} {ratio:.2}"),
            })
        });
        ratios.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_costs_ratios_and_what_was_reached() {
        let costs = vec![Some(Cost::of(200.0)), None, Some(Cost::of(90.0))];
        let at_most = &[("nginx", 0.5)];
        let row = Row { name: "A", title: "plain".to_owned(), unit: "us", costs, at_most };
        let text = markdown(&["nginx", "envoy", "nearside"], &[row]);
        let last = text.lines().last().unwrap();
        assert_eq!(last, "| A plain | us | 200 | - | 90.0 | nginx 0.45 (reached: 0.5) |");
    }

    #[test]
    fn a_missed_figure_is_loud() {
        let costs = vec![Some(Cost::of(100.0)), Some(Cost::of(90.0))];
        let row = Row { name: "A", title: "plain".to_owned(), unit: "us", costs, at_most: &[("nginx", 0.5)] };
        assert!(markdown(&["nginx", "nearside"], &[row]).contains("nginx 0.90 (MISSED: 0.5)"));
    }
}
