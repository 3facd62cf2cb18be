# Reference values of ordered items: polychoric correlations, WLSMV, invariance, reliability.
# Run by hand (Rscript tests/oracle/make_ordinal.R) and commit the CSVs; tests never need R.
# R 4.2.2, lavaan 0.6-14, semTools 0.5-6, psychTools 2.2.9.
suppressPackageStartupMessages({library(lavaan); library(semTools)})
options(digits = 12)
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE, quote = FALSE, na = "")
plus <- function(v) paste(v, collapse = " + ")

# 1. Data sets that ship with R packages (GPL): bfi without N (N stands in bfi_n_rows.csv), an ordinal copy of
#    HolzingerSwineford1939 (quartiles, type 7), datCat, and a small set of yes/no items with an empty cell.
bfi <- psychTools::bfi
for (v in c("A1", "C4", "C5", "E1", "E2", "O2", "O5")) bfi[[v]] <- 7 - bfi[[v]]
bfi <- bfi[, c(paste0("A", 1:5), paste0("C", 1:5), paste0("E", 1:5), paste0("O", 1:5), "gender")]
out(bfi, "ordinal_bfi_rows.csv")
N <- read.csv("tests/oracle/bfi_n_rows.csv")
hs <- HolzingerSwineford1939
for (v in paste0("x", 1:9)) hs[[v]] <- as.integer(cut(hs[[v]], quantile(hs[[v]]), include.lowest = TRUE))
hs <- hs[, c("school", paste0("x", 1:9))]
out(hs, "ordinal_hs_rows.csv")
dc <- datCat; for (v in paste0("u", 1:8)) dc[[v]] <- as.integer(dc[[v]])
out(dc, "ordinal_datcat_rows.csv")
yes <- data.frame(a = rep(c(0, 0, 1, 1, 0, 1), c(20, 9, 5, 16, 8, 12)), b = rep(c(0, 1, 1, 1, 0, 1), c(20, 9, 5, 16, 8, 12)),
                  c = rep(c(0, 1, 0, 1, 1, 1), c(20, 9, 5, 16, 8, 12)))
out(yes, "ordinal_yes_rows.csv")

# 2. Polychoric correlations, thresholds, and diagonal (and one row) of N acov.
one <- function(x, name, missing = "listwise") {
  f <- suppressWarnings(cfa(paste("f =~", plus(names(x))), x, ordered = names(x), std.lv = TRUE, missing = missing))
  s <- lavTech(f, "sampstat")[[1]]; G <- lavTech(f, "Gamma")[[1]]; R <- s$cov
  terms <- c(unlist(lavInspect(f, "sampstat")$th |> names()), apply(which(lower.tri(R), arr.ind = TRUE), 1, function(i)
    paste0(names(x)[i[2]], "~~", names(x)[i[1]])))
  data.frame(set = name, missing = missing, n = lavInspect(f, "nobs"), term = terms,
             estimate = c(s$th, R[lower.tri(R)]), gamma = diag(G), gamma_last = G[nrow(G), ])
}
A <- bfi[, paste0("A", 1:5)]
out(rbind(one(N, "bfi_n"), one(A, "bfi_a"), one(A, "bfi_a", "pairwise"), one(hs[, -1], "hs"), one(yes, "yes")), "ordinal_polychoric.csv")

# 3. WLSMV and WLSM fits.
hs3 <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
ace <- c(paste0("A", 1:5), paste0("C", 1:5), paste0("E", 1:5))
bif <- paste0("g =~ ", plus(ace), "\na =~ ", plus(ace[1:5]), "\nc =~ ", plus(ace[6:10]), "\ne =~ ", plus(ace[11:15]))
n1 <- "f =~ N1 + N2 + N3 + N4 + N5"
ce <- paste0("c =~ ", plus(ace[6:10]), "\ne =~ ", plus(ace[11:15]))
measures <- c("npar", "chisq", "df", "chisq.scaled", "pvalue.scaled", "chisq.scaling.factor", "baseline.chisq", "baseline.chisq.scaled",
  "cfi", "tli", "cfi.scaled", "tli.scaled", "rmsea", "rmsea.ci.lower", "rmsea.ci.upper", "rmsea.scaled", "rmsea.ci.lower.scaled",
  "rmsea.ci.upper.scaled", "srmr")
jobs <- list(
  list("n_delta", n1, N), list("n_theta", n1, N, parameterization = "theta"), list("n_wlsm", n1, N, estimator = "WLSM"),
  list("n_residual", paste0(n1, "\nN1 ~~ N2"), N), list("n_residual_theta", paste0(n1, "\nN1 ~~ N2"), N, parameterization = "theta"),
  list("hs_delta", hs3, hs), list("hs_theta", hs3, hs, parameterization = "theta", std.lv = TRUE),
  list("bifactor", bif, bfi, std.lv = TRUE, orthogonal = TRUE),
  list("ace_pairwise", paste0("a =~ ", plus(ace[1:5]), "\n", ce), bfi, missing = "pairwise"),
  list("gender_free", ce, bfi, group = "gender"),
  list("gender_equal", ce, bfi, group = "gender", group.equal = c("loadings", "thresholds")),
  list("gender_equal_theta", ce, bfi, group = "gender", group.equal = c("loadings", "thresholds"), parameterization = "theta"))
fits <- list(); found <- list()
for (job in jobs) {
  args <- job[-(1:3)]; x <- job[[3]]; if (is.null(args$group)) args$group <- NULL
  if (!is.null(args$group)) args$group.label <- sort(unique(as.character(x[[args$group]])))
  f <- suppressWarnings(do.call("cfa", c(list(job[[2]], x, ordered = TRUE), args)))
  m <- fitMeasures(f, measures)
  fits[[job[[1]]]] <- data.frame(fit = job[[1]], measure = measures, value = as.numeric(m))
  s <- standardizedSolution(f); e <- parameterEstimates(f); s$group <- if (is.null(s$group)) 1 else s$group
  key <- s$op %in% c("=~", "~~") & !(s$op == "~~" & s$lhs == s$rhs)
  found[[job[[1]]]] <- data.frame(fit = job[[1]], group = s$group, lhs = s$lhs, op = s$op, rhs = s$rhs, est = e$est, se = e$se,
                                  std = s$est.std, std_se = s$se)[key, ]
}
out(do.call(rbind, fits), "ordinal_fits.csv"); out(do.call(rbind, found), "ordinal_loadings.csv")

# 4. The Wu-Estabrook sequence with scaled difference tests (Satorra 2000).
equal <- list(configural = "", thresholds = "thresholds", loadings = c("thresholds", "loadings"),
              intercepts = c("thresholds", "loadings", "intercepts"), residuals = c("thresholds", "loadings", "intercepts", "residuals"))
ladder <- function(name, model, x, group, items, parameterization, partial = "") {
  x[[group]] <- as.character(x[[group]]); x <- x[order(x[[group]]), ]
  before <- NULL; rows <- list()
  for (step in names(equal)[seq_len(if (parameterization == "delta") 4 else 5)]) {
    f <- suppressWarnings(measEq.syntax(model, data = x, ordered = items, group = group, parameterization = parameterization, ID.fac = "std.lv",
      ID.cat = "Wu.Estabrook.2016", group.equal = equal[[step]], group.partial = partial, return.fit = TRUE))
    d <- if (is.null(before)) rep(NA, 3) else { t <- suppressWarnings(lavTestLRT(before, f, method = "satorra.2000")); as.numeric(t[2, 5:7]) }
    m <- fitMeasures(f, c("chisq", "df", "chisq.scaled", "cfi.scaled", "rmsea.scaled", "srmr"))
    rows[[step]] <- data.frame(set = name, parameterization = parameterization, step = step, t(as.numeric(m)), t(d))
    before <- f
  }
  r <- do.call(rbind, rows)
  names(r)[4:12] <- c("chi2_naive", "df", "chi2", "cfi", "rmsea", "srmr", "chi2_diff", "df_diff", "p_diff"); r
}
u <- paste0("u", 1:8); ce.items <- ace[6:15]
three <- bfi; for (v in ce.items) three[[v]] <- as.integer(cut(three[[v]], c(0, 2, 4, 6)))
out(three[, c(ce.items, "gender")], "ordinal_three_rows.csv")
out(rbind(ladder("hs", hs3, hs, "school", paste0("x", 1:9), "theta"), ladder("hs", hs3, hs, "school", paste0("x", 1:9), "delta"),
  ladder("datcat", paste("f =~", plus(u)), dc, "g", u, "theta"), ladder("bfi", ce, bfi, "gender", ce.items, "theta"),
  ladder("hs_partial", hs3, hs, "school", paste0("x", 1:9), "theta", c("x3 ~ 1", "x7 ~ 1")),
  ladder("hs_one_threshold", hs3, hs, "school", paste0("x", 1:9), "theta", c("x3 | t2", "x3 | t3")),
  ladder("three", ce, three, "gender", ce.items, "theta")), "ordinal_invariance.csv")

# 5. Reliability: ordinal alpha, categorical omega against implied (omega) and observed (omega3) variance, ordinal omega.
rel <- function(x, name) {
  x <- na.omit(x); f <- cfa(paste("f =~", plus(names(x))), x, ordered = names(x), std.lv = TRUE)
  r <- suppressMessages(semTools::reliability(f)); l <- lavInspect(f, "est")$lambda; R <- lavInspect(f, "sampstat")$cov
  data.frame(set = name, n = nrow(x), ordinal_alpha = r["alpha.ord", 1], omega_categorical = r["omega3", 1],
             omega_categorical_implied = r["omega", 1], omega_ordinal = sum(l)^2 / sum(R), omega_ordinal_implied = sum(l)^2 / (sum(l)^2 + sum(1 - l^2)))
}
sets <- c(lapply(c("A", "C", "E", "O"), function(s) rel(bfi[, paste0(s, 1:5)], s)), list(rel(N, "N"), rel(dc[, u], "datcat")))
out(do.call(rbind, sets), "ordinal_reliability.csv")
