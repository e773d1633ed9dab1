-- Beside the database `mlflow` of runs and models: users, and Optuna's studies.
create database auth;
create database optuna;
