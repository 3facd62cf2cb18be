# Reference values for confirmatory factor models (Rscript tests/oracle/make_cfa.R); the CSVs are committed, tests never need R.
# R 4.2.2, lavaan 0.6-14, semTools 0.5-6, psych 2.2.9, psychTools. Data: HolzingerSwineford1939 (lavaan, GPL), Thurstone (psych, GPL), bfi (psychTools, GPL).
suppressPackageStartupMessages({library(lavaan); library(semTools); library(psych)})
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)
# lavaan's nlminb stops at gradients of 1e-6; BFGS goes on to 1e-8, so that the values are those of the optimum.
tight <- list(reltol = 1e-16, maxit = 20000)
cfa <- function(...) suppressWarnings(lavaan::cfa(..., optim.method = "BFGS", optim.force.converged = TRUE))
fits <- list(); pars <- list(); mods <- list()
wanted <- c("npar", "fmin", "chisq", "df", "pvalue", "baseline.chisq", "baseline.df", "cfi", "tli", "rmsea", "rmsea.ci.lower", "rmsea.ci.upper",
            "rmsea.pvalue", "srmr", "logl", "aic", "bic", "chisq.scaled", "pvalue.scaled", "chisq.scaling.factor", "baseline.chisq.scaled",
            "baseline.chisq.scaling.factor", "cfi.scaled", "tli.scaled", "rmsea.scaled", "cfi.robust", "tli.robust", "rmsea.robust",
            "rmsea.ci.lower.robust", "rmsea.ci.upper.robust", "rmsea.ci.lower.scaled", "rmsea.ci.upper.scaled")
keep <- function(name, fit, mod = FALSE) {
  m <- fitMeasures(fit); m <- m[intersect(wanted, names(m))]
  fits[[name]] <<- data.frame(model = name, measure = names(m), value = as.numeric(m))
  p <- parameterEstimates(fit); s <- standardizedSolution(fit)
  if (is.null(p$group)) p$group <- 1; if (is.null(s$group)) s$group <- 1
  pars[[name]] <<- data.frame(model = name, lhs = p$lhs, op = p$op, rhs = p$rhs, group = p$group, est = p$est, se = p$se, std = s$est.std, std_se = s$se)
  if (mod) { i <- modindices(fit); i <- i[i$op %in% c("=~", "~~"), ]; if (is.null(i$group)) i$group <- 1
    mods[[name]] <<- data.frame(model = name, lhs = i$lhs, op = i$op, rhs = i$rhs, group = i$group, mi = i$mi, epc = i$epc) }
  invisible(fit)
}
hs <- HolzingerSwineford1939
hs$class <- (seq_len(nrow(hs)) - 1) %/% 5 + 1
x <- paste0("x", 1:9)
out(hs[, c("school", "sex", "class", x)], "hs_rows.csv")
moments <- function(d, by, v) do.call(rbind, lapply(unique(by), function(g) { z <- d[by == g, v]
  data.frame(group = g, item = v, n = nrow(z), mean = colMeans(z), cov(z), row.names = NULL) }))
out(rbind(moments(hs, rep("all", nrow(hs)), x), moments(hs, as.character(hs$school), x)), "hs_moments.csv")
three <- "visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9"
fit <- keep("three", cfa(three, hs, control = tight), TRUE)
keep("three_mlr", cfa(three, hs, estimator = "MLR", control = tight))
keep("three_observed", cfa(three, hs, information = "observed", control = tight))
keep("three_cluster", cfa(three, hs, estimator = "MLR", cluster = "class", control = tight))
keep("std_lv", cfa(three, hs, std.lv = TRUE, control = tight), TRUE)
keep("residual", cfa(paste(three, "x7 ~~ x8", sep = "\n"), hs, control = tight), TRUE)
keep("labels", cfa("visual =~ x1 + a*x2 + a*x3
textual =~ x4 + b*x5 + b*x6
speed =~ x7 + x8 + x9
x1 ~~ r*x1
x2 ~~ r*x2", hs, control = tight), TRUE)
keep("means", cfa(paste(three, "visual ~ 0*1", sep = "\n"), hs, meanstructure = TRUE, control = tight))
r <- semTools::reliability(fit)
h1 <- htmt(three, hs, htmt2 = FALSE); h2 <- htmt(three, hs)
out(data.frame(factor = c("visual", "textual", "speed"), alpha = r["alpha", 1:3], omega = r["omega", 1:3], omega2 = r["omega2", 1:3], ave = r["avevar", 1:3],
               htmt_visual = h1[1, ], htmt_textual = h1[2, ], htmt2_visual = h2[1, ], htmt2_textual = h2[2, ]), "cfa_reliability.csv")
out(data.frame(item = x, residuals(fit, type = "cor.bentler")$cov), "cfa_residuals.csv")
out(data.frame(lavPredict(fit, method = "regression")[1:20, ], bartlett = lavPredict(fit, method = "Bartlett")[1:20, ]), "cfa_scores.csv")
# Bifactor from a correlation matrix.
bi <- paste0("g =~ ", paste(paste0("v", 1:9), collapse = " + "), "\ns1 =~ v1 + v2 + v3\ns2 =~ v4 + v5 + v6\ns3 =~ v7 + v8 + v9")
R <- psych::Thurstone; dimnames(R) <- list(paste0("v", 1:9), paste0("v", 1:9))
out(data.frame(item = rownames(R), R), "thurstone.csv")
keep("bifactor", cfa(bi, sample.cov = R, sample.nobs = 213, std.lv = TRUE, orthogonal = TRUE, control = tight), FALSE)
# Invariance over schools; ML and MLR, differences, score tests, latent means.
ladder <- function(prefix, model, data = NULL, group, steps, ...) {
  equal <- list(configural = "", metric = "loadings", scalar = c("loadings", "intercepts"), strict = c("loadings", "intercepts", "residuals"))
  lapply(setNames(names(equal)[steps], names(equal)[steps]), function(s) { a <- list(model, control = tight, ...)
    if (!is.null(data)) a <- c(a, list(data = data, group = group)); if (s != "configural") a$group.equal <- equal[[s]]
    keep(paste0(prefix, "_", s), do.call(cfa, a)) })
}
diffs <- function(prefix, l) do.call(rbind, lapply(2:length(l), function(i) { d <- lavTestLRT(l[[i - 1]], l[[i]])
  data.frame(ladder = prefix, step = names(l)[i], diff = d[2, "Chisq diff"], df = d[2, "Df diff"], p = d[2, "Pr(>Chisq)"]) }))
ml <- ladder("school", three, hs, "school", 1:4); mlr <- ladder("school_mlr", three, hs, "school", 1:4, estimator = "MLR")
part <- keep("school_partial", cfa(three, hs, group = "school", group.equal = c("loadings", "intercepts"), group.partial = c("x3~1", "x7~1"), control = tight))
pd <- lavTestLRT(ml$metric, part)
score <- lavTestScore(ml$scalar); tab <- parTable(ml$scalar)
name <- function(p) { i <- match(p, tab$plabel); paste0(tab$lhs[i], tab$op[i], tab$rhs[i]) }
out(data.frame(parameter = name(score$uni$lhs), x2 = score$uni$X2, p = score$uni$p.value), "cfa_score.csv")
# Six groups (three bands of age by gender) of three bfi scales, from moments.
b <- psychTools::bfi; for (v in c("A1", "C4", "C5")) b[[v]] <- 7 - b[[v]]
items <- c(paste0("A", 1:5), paste0("C", 1:5), paste0("N", 1:5)); b <- na.omit(b[, c(items, "gender", "age")])
b$band <- paste0("g", 3 * (b$gender - 1) + as.integer(cut(b$age, c(0, 20, 29, 100)))); b <- b[order(b$band), ]
out(moments(b, b$band, items), "bfi_groups.csv")
six <- "A =~ A1 + A2 + A3 + A4 + A5\nC =~ C1 + C2 + C3 + C4 + C5\nN =~ N1 + N2 + N3 + N4 + N5"
by6 <- ladder("six", six, b, "band", 1:4)
out(rbind(diffs("school", ml), diffs("school_mlr", mlr), diffs("six", by6),
          data.frame(ladder = "school", step = "partial", diff = pd[2, "Chisq diff"], df = pd[2, "Df diff"], p = pd[2, "Pr(>Chisq)"])), "cfa_differences.csv")
# One factor for each bfi scale, from the covariances that make.R wrote.
cv <- read.csv("tests/oracle/bfi_covariances.csv")
for (s in unique(cv$scale)) { z <- cv[cv$scale == s, ]; S <- as.matrix(z[, paste0("i", 1:5)]); rownames(S) <- colnames(S)
  keep(paste0("bfi_", s), cfa(paste("f =~", paste(colnames(S), collapse = " + ")), sample.cov = S, sample.nobs = z$n[1], control = tight), TRUE) }
bind <- function(l) do.call(rbind, l)
f <- bind(fits); out(f, "cfa_fits.csv")
p <- bind(pars); p <- p[!(grepl("^six", p$model) & p$model != "six_scalar"), ]; num <- c("est", "se", "std", "std_se"); p[num] <- signif(p[num], 9); out(p, "cfa_parameters.csv")
m <- bind(mods); m[c("mi", "epc")] <- signif(m[c("mi", "epc")], 9); out(m, "cfa_modification.csv")
