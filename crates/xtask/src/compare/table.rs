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
#[derive(Default)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) title: String,
    pub(super) unit: &'static str,
    pub(super) costs: Vec<Option<Cost>>,
    /// What nearside has cost in another scenario, beside which this one is held.
    pub(super) own: Option<(&'static str, f64)>,
    /// What nearside may cost at most, as a ratio to a peer, or to its own in another scenario.
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

    /// Each ratio of nearside to another, and whether it is within what was set.
    fn verdict(&self, columns: &[&'static str]) -> String {
        let told = self.ratios(columns).map(|(name, ratio, most)| match most {
            Some(most) if ratio <= most => format!("{name} {ratio:.2} (reached: {most})"),
            Some(most) => format!("{name} {ratio:.2} (MISSED: {most})"),
            None => format!("{name} {ratio:.2}"),
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// Whether a figure that was set is not reached.
    pub(super) fn is_missed(&self, columns: &[&'static str]) -> bool {
        self.ratios(columns).any(|(_, ratio, most)| most.is_some_and(|most| ratio > most))
    }

    /// What nearside costs beside each other that has a cost, and the most that it may.
    fn ratios(&self, columns: &[&'static str]) -> impl Iterator<Item = (&'static str, f64, Option<f64>)> {
        let ours = self.cost(columns, "nearside");
        let peers = columns.iter().filter(|column| **column != "nearside");
        let peers = peers.filter_map(|peer| Some((*peer, self.cost(columns, peer)?)));
        peers.chain(self.own).filter_map(move |(name, cost)| {
            let most = self.at_most.iter().find(|(held, _)| *held == name).map(|(_, most)| *most);
            Some((name, ours? / cost, most))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_costs_ratios_and_what_was_reached() {
        let costs = vec![Some(Cost::of(200.0)), None, Some(Cost::of(90.0))];
        let at_most = &[("nginx", 0.5)];
        let row = Row { name: "A", title: "plain".to_owned(), unit: "us", costs, at_most, ..Row::default() };
        let text = markdown(&["nginx", "envoy", "nearside"], &[row]);
        let last = text.lines().last().unwrap();
        assert_eq!(last, "| A plain | us | 200 | - | 90.0 | nginx 0.45 (reached: 0.5) |");
    }

    #[test]
    fn a_missed_figure_is_loud() {
        let costs = vec![Some(Cost::of(100.0)), Some(Cost::of(90.0))];
        let row = Row { name: "A", costs, at_most: &[("nginx", 0.5)], ..Row::default() };
        let columns = ["nginx", "nearside"];
        assert!(row.is_missed(&columns));
        assert!(markdown(&columns, &[row]).contains("nginx 0.90 (MISSED: 0.5)"));
    }

    #[test]
    fn a_row_is_held_to_another_of_our_own() {
        let row = |figure| {
            let (costs, own) = (vec![Some(Cost::of(figure))], Some(("B", 100.0)));
            Row { costs, own, at_most: &[("B", 1.1)], ..Row::default() }
        };
        assert!(row(112.0).is_missed(&["nearside"]) && !row(109.0).is_missed(&["nearside"]));
        assert!(markdown(&["nearside"], &[row(109.0)]).contains("B 1.09 (reached: 1.1)"));
    }
}
