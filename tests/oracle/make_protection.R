# Published examples of secondary suppression: tests/oracle/protection_gauss.csv.
# GaussSuppression is not among Debian's packages, so that the outputs were copied by hand from the package's own
# documentation (version 1.2.3, MIT): the vignette "Small count frequency table suppression", tables 1, 2, 6 and 7, and
# the first example of ?SuppressSmallCounts. Where the package is installed, this script makes the same file again:
# Rscript tests/oracle/make_protection.R
suppressPackageStartupMessages(library(GaussSuppression))
example1 <- SSBtools::SSBtoolsData("example1")
a <- example1[example1$year == "2014", -4]; b <- example1[example1$year == "2015", -4]
group_of <- c(Iceland = "nonEU", Portugal = "EU", Spain = "EU")
laid <- function(name, max_n, out, row, column, nested) {
  x <- data.frame(example = name, max_n = max_n, row = out[[row]], column = out[[column]], freq = out$freq,
                  primary = as.integer(out$primary), suppressed = as.integer(out$suppressed))
  is_group <- x$column %in% group_of
  x$group <- if (nested) ifelse(is_group, x$column, ifelse(x$column == "Total", "Total", group_of[x$column])) else ""
  x$column[is_group] <- "Total"
  x[c("example", "max_n", "row", "group", "column", "freq", "primary", "suppressed")]
}
small <- function(data, max_n, vars, ...) SuppressSmallCounts(data = data, dimVar = vars, freqVar = "freq", maxN = max_n, ...)
nested <- c("age", "geo", "eu")
accidents <- SuppressSmallCounts(data = SSBtools::SSBtoolsData("mun_accidents"), maxN = 3, dimVar = 1:2, freqVar = 3)
rows <- rbind(
  laid("age_geo", 1, small(a, 1, c("age", "geo")), "age", "geo", TRUE),
  laid("age_eu_geo", 2, small(a, 2, nested), "age", "geo", TRUE),
  laid("structural", 2, small(b[-2, ], 2, nested, extend0 = FALSE, structuralEmpty = TRUE), "age", "geo", TRUE),
  laid("zeros", 2, small(b, 2, nested), "age", "geo", TRUE),
  laid("accidents", 3, accidents, "mun", "inj", FALSE))
write.csv(rows, "tests/oracle/protection_gauss.csv", row.names = FALSE, quote = FALSE)
