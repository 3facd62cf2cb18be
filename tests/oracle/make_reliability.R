# Reference values of reliability, retest agreement and exploratory factor analysis. Run by hand: Rscript tests/oracle/make_reliability.R
# R 4.2.2, psych 2.2.9, psychTools 2.2.9, lavaan 0.6-14, GPArotation 2022.10.
suppressPackageStartupMessages({library(psych); library(lavaan); library(GPArotation)})
options(digits = 15)
out <- function(x, name) write.csv(x, file.path("tests/oracle", name), row.names = FALSE)
long <- function(case, what, m) data.frame(case = case, what = what, row = rep(seq_len(nrow(m)), ncol(m)),
                                           column = rep(seq_len(ncol(m)), each = nrow(m)), value = as.numeric(m))
keep <- function(case, ...) { v <- list(...); data.frame(case = case, name = names(v), value = as.numeric(unlist(v))) }

# 1. Correlation matrices: Thurstone's nine tests (psych), nine tests of Holzinger and Swineford (lavaan), 25 items of bfi (psychTools).
hs <- HolzingerSwineford1939[, paste0("x", 1:9)]
bfi <- psychTools::bfi[, 1:25]
for (v in c("A1", "C4", "C5", "E1", "E2", "O2", "O5")) bfi[[v]] <- 7 - bfi[[v]]
bfi <- na.omit(bfi)
R <- list(thurstone = psych::Thurstone, hs = cor(hs), bfi25 = cor(bfi)); N <- c(thurstone = 213, hs = 301, bfi25 = nrow(bfi))
out(do.call(rbind, lapply(names(R), function(c) long(c, "correlation", R[[c]]))), "efa_correlations.csv")

# 2. Adequacy, Velicer's test, eigenvalues, and what parallel analysis decides.
values <- list(); arrays <- list()
for (c in names(R)) {
  k <- KMO(R[[c]]); b <- cortest.bartlett(R[[c]], n = N[[c]]); m <- vss(R[[c]], n = 3, n.obs = N[[c]], plot = FALSE, fm = "minres")$map
  values[[c]] <- keep(c, n = N[[c]], kmo = k$MSA, bartlett = b$chisq, bartlett_df = b$df, map1 = m[1], map2 = m[2], map3 = m[3])
  arrays[[c]] <- rbind(long(c, "msa", matrix(k$MSAi)), long(c, "eigen", matrix(eigen(R[[c]])$values)))
}
set.seed(1); pdf(NULL)
f <- fa.parallel(bfi, fm = "minres", fa = "both", n.iter = 20, plot = FALSE)
s <- fa.parallel(bfi, fm = "minres", fa = "both", n.iter = 20, SMC = TRUE, plot = FALSE)
values$pa <- keep("bfi25", pa_factors = f$nfact, pa_components = f$ncomp, pa_smc_factors = s$nfact)

# 3. Extraction and rotation. factanal with a tight optimiser; psych as it comes; lavaan::efa with unweighted least squares.
tight <- list(opt = list(factr = 1, maxit = 5000))
ml <- factanal(covmat = list(cov = R$hs, n.obs = 301), factors = 3, rotation = "none", control = tight)
vm <- varimax(unclass(ml$loadings), eps = 1e-14); pm <- promax(unclass(vm$loadings), m = 4)
ob <- GPFoblq(unclass(ml$loadings), method = "oblimin", eps = 1e-7, maxit = 5000)
phi <- solve(pm$rotmat); phi <- phi %*% t(phi)
arrays$ml <- rbind(long("hs_ml", "uniqueness", matrix(ml$uniquenesses)), long("hs_ml", "none", unclass(ml$loadings)),
  long("hs_ml", "varimax", unclass(vm$loadings)), long("hs_ml", "promax", unclass(pm$loadings)), long("hs_ml", "promax_phi", phi),
  long("hs_ml", "oblimin", unclass(ob$loadings)), long("hs_ml", "oblimin_phi", ob$Phi))
values$ml <- keep("hs_ml", chi2 = ml$STATISTIC, df = ml$dof, p_value = ml$PVAL)
for (case in c("bfi25", "thurstone")) {
  q <- c(bfi25 = 5, thurstone = 3)[[case]]
  f <- fa(R[[case]], q, n.obs = N[[case]], fm = "minres", rotate = "oblimin")
  name <- paste0(case, "_minres")
  arrays[[name]] <- rbind(long(name, "uniqueness", matrix(f$uniquenesses)), long(name, "oblimin", unclass(f$loadings)), long(name, "oblimin_phi", f$Phi))
  values[[name]] <- keep(name, chi2 = f$STATISTIC, df = f$dof, rmsea = f$RMSEA[1], rmsea_low = f$RMSEA[2], rmsea_high = f$RMSEA[3],
                         tli = f$TLI, objective = f$objective, null_chi2 = f$null.chisq, rms = f$rms)
}
# lavaan's unweighted least squares goes nearer to the optimum than psych's default search.
u <- efa(bfi, nfactors = 5, estimator = "ULS", rotation = "oblimin",
         rotation.args = list(row.weights = "none", rstarts = 3, tol = 1e-8, gpa.tol = 1e-7), output = "lavaan", std.ov = TRUE)
e <- lavInspect(u, "std")
arrays$lav <- rbind(long("bfi25_uls", "uniqueness", matrix(diag(e$theta))), long("bfi25_uls", "oblimin", unclass(e$lambda)), long("bfi25_uls", "oblimin_phi", unclass(e$psi)))

# 4. Schmid and Leiman's transformation (psych::omega: minres, oblimin).
sl <- function(case, m, n, q) {
  o <- omega(m, nfactors = q, n.obs = n, plot = FALSE, flip = FALSE)
  arrays[[paste0(case, "sl")]] <<- long(paste0(case, "_sl"), "sl", o$schmid$sl[, 1:(q + 1)])
  keep(paste0(case, "_sl"), omega_h = o$omega_h, omega_t = o$omega.tot, alpha = o$alpha, ecv = o$ECV)
}
values$sl <- sl("thurstone", R$thurstone, 213, 3); values$slhs <- sl("hs", R$hs, 301, 3)

# 5. Shrout and Fleiss (1979), table 2, by the ANOVA of psych::ICC; the sum score of bfi's N on the 2436.
sf <- matrix(c(9,2,5,8, 6,1,3,2, 8,4,6,8, 7,1,2,6, 10,5,6,9, 6,2,4,7), ncol = 4, byrow = TRUE)
i <- ICC(sf, lmer = FALSE)$results
out(data.frame(form = i$type, icc = i$ICC, f = i$F, df1 = i$df1, df2 = i$df2, p = i$p, low = i$`lower bound`, high = i$`upper bound`), "icc_shrout_fleiss.csv")
x <- bfi[, paste0("N", 1:5)]; total <- rowSums(x); a <- psych::alpha(x)$total$raw_alpha; sem <- sd(total) * sqrt(1 - a)
values$n <- keep("bfi_n_sum", n = length(total), mean = mean(total), sd = sd(total), alpha = a, sem = sem, sdc = qnorm(.975) * sqrt(2) * sem,
                 floor = mean(total == 5), ceiling = mean(total == 30))
out(as.data.frame(table(total)), "bfi_n_sum.csv")
out(data.frame(cov(x)), "bfi_n_sum_cov.csv")
out(do.call(rbind, values), "efa_values.csv"); out(do.call(rbind, arrays), "efa_arrays.csv")
