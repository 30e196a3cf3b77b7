//! The selection of the reports of a batch that run, with their parameters and months.

use super::batch::Batch;
use crate::error::{Error, Result};
use crate::report::{Parameter, ParameterType, Params, Period, Report, ReportSummary};

/// One report of a batch.
pub enum Prepared {
    /// The report, with the month that it is about where it runs once for each month of the period.
    Ready {
        report: Box<Report>,
        params: Params,
        part: Option<Period>,
    },
    Skipped(Box<Report>, String),
    /// The report is not part of the run; the text says why.
    Left(Box<Report>, String),
}

impl Prepared {
    pub fn report(&self) -> &Report {
        match self {
            Prepared::Ready { report, .. } | Prepared::Skipped(report, _) | Prepared::Left(report, _) => report,
        }
    }

    /// Returns the name of its folder.
    pub fn folder(&self) -> String {
        let part = match self {
            Prepared::Ready { part, .. } => part.map(|month| month.name()),
            _ => None,
        };
        ReportSummary { id: self.report().id.clone(), part, ..ReportSummary::default() }.folder()
    }
}

impl Batch {
    /// Returns the parameters of one report that was named alone: every mistake is an error.
    pub fn exactly(&self, report: &Report) -> Result<Params> {
        Params::new(report, &self.given(report, true), self.period.as_ref().map(|(_, period)| *period))
    }

    /// Returns the parameters of each of several reports. A value that a report does not know is left out for it; a
    /// report that lacks something is skipped, with a message. A report about a subject runs only when it is among the
    /// `named` ones.
    pub fn prepare(&self, reports: &[&Report], named: &[String]) -> Result<Vec<Prepared>> {
        if let [report] = reports {
            let months = self.months(report, true)?;
            let params = if months.is_empty() { Some(self.exactly(report)?) } else { None };
            let alone =
                params.map(|params| Prepared::Ready { report: Box::new((*report).clone()), params, part: None });
            return Ok(alone.into_iter().chain(months).collect());
        }
        for (name, _) in &self.params {
            if reports.iter().all(|report| report.parameter(name).is_none()) {
                return Err(Error::usage(format!("none of the reports has a parameter `{name}`"))
                    .hint("`report show ID` lists a report's parameters"));
            }
        }
        let mut prepared = Vec::new();
        for report in reports {
            let given = self.given(report, false);
            let one = || Box::new((*report).clone());
            let months = self.months(report, false)?;
            if !months.is_empty() {
                prepared.extend(months);
                continue;
            }
            let period = self.period.as_ref().map(|(_, period)| *period);
            let period = period.filter(|period| Params::has_period(report, *period));
            let subject = Params::subject(report, &given).filter(|_| !named.contains(&report.id));
            prepared.push(match (subject, Params::missing(report, &given, period)) {
                (Some(name), _) => {
                    Prepared::Left(one(), format!("it is about one subject; run it alone with `{name}`"))
                }
                (None, Some(name)) => Prepared::Skipped(one(), format!("it needs parameter `{name}`")),
                (None, None) => {
                    Prepared::Ready { report: one(), params: Params::new(report, &given, period)?, part: None }
                }
            });
        }
        Ok(prepared)
    }

    /// Splits a monthly report over each whole month of a period that is not itself a month; returns nothing for other
    /// reports.
    fn months(&self, report: &Report, is_strict: bool) -> Result<Vec<Prepared>> {
        let given = self.given(report, is_strict);
        let month = report.parameters.iter().find(|one| one.ty == ParameterType::Month);
        let is_open = |month: &Parameter| !given.iter().any(|(name, _)| *name == month.name);
        let Some((_, period)) = self.period.as_ref().filter(|_| month.is_some_and(is_open)) else {
            return Ok(Vec::new());
        };
        if period.month().is_some() {
            return Ok(Vec::new());
        }
        let ready = |month: Period| {
            let params = Params::new(report, &given, Some(month))?;
            Ok(Prepared::Ready { report: Box::new(report.clone()), params, part: Some(month) })
        };
        period.months().into_iter().map(ready).collect()
    }

    fn given(&self, report: &Report, is_strict: bool) -> Vec<(String, String)> {
        let mut given = self.params.clone();
        given.retain(|(name, _)| is_strict || report.parameter(name).is_some());
        if self.has_zone && report.parameter("tz").is_some() && !given.iter().any(|(name, _)| name == "tz") {
            given.push(("tz".to_string(), self.zone.name().to_string()));
        }
        given
    }
}
